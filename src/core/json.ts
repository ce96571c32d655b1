/** Any JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value from JSON is an object: neither null nor a list. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a text says; undefined when it is no JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // whatever is wrong with it, it is none
  }
};
