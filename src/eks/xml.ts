/** XML answers of the query protocol: elements with text, in order. */

/** An element's content: text, or elements by name in order; undefined ones are left out. */
export type Content = string | { readonly [name: string]: Content | undefined };

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text as XML 1.0 can carry it: characters that it cannot become U+FFFD. */
const text = (value: string): string =>
  value
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that XML forbids
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (character) => ESCAPES[character] as string);

const write = (content: Content): string =>
  typeof content === 'string'
    ? text(content)
    : Object.entries(content)
        .map(([name, inner]) => (inner === undefined ? '' : `<${name}>${write(inner)}</${name}>`))
        .join('');

/** A document with a root element in a namespace. */
export const xml = (root: string, namespace: string, content: Content): string =>
  `<${root} xmlns="${namespace}">${write(content)}</${root}>`;
