/**
 * The first record of a comma-separated text (RFC 4180), as the annotation `skip-containers` holds it.
 * @returns undefined when the text has no record or breaks the rules of quoting
 */
export const csvRecord = (text: string): readonly string[] | undefined => {
  const fields: string[] = [];
  let rest = text.replace(/^(\r?\n)+/, '');
  if (rest === '') return undefined;
  for (;;) {
    const field = /^"((?:[^"]|"")*)"(?=,|\r?\n|$)|^([^",\r\n]*)(?=,|\r?\n|$)/.exec(rest);
    if (field === null) return undefined;
    fields.push(field[1]?.replaceAll('""', '"') ?? field[2] ?? '');
    rest = rest.slice(field[0].length);
    if (!rest.startsWith(',')) return fields;
    rest = rest.slice(1);
  }
};
