/** Links of the documents: each leads to a file of the checkout, and the index of decisions leads to every one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Folders with documents, from the repository's root. */
const FOLDERS = ['.', 'docs', 'docs/adr'] as const;

const INDEX = 'docs/adr/README.md';

/** Files that a document links to, from the repository's root. */
const targetsOf = (document: string, text: string): readonly string[] =>
  [...text.matchAll(/\]\(([^)#\s]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(document), target)));

/** One complaint a line about the documents of a checkout. */
export const brokenLinks = (root: string): readonly string[] => {
  const documents = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  );
  const links = documents.flatMap((document) =>
    targetsOf(document, readFileSync(join(root, document), 'utf8')).map((target) => ({ document, target })),
  );
  const listed = new Set(links.filter(({ document }) => document === INDEX).map(({ target }) => target));
  return [
    ...links
      .filter(({ target }) => !existsSync(join(root, target)))
      .map(({ document, target }) => `${document}: there is no ${target}`),
    ...documents
      .filter((document) => dirname(document) === dirname(INDEX) && document !== INDEX)
      .filter((document) => !listed.has(document))
      .map((document) => `${INDEX}: ${document} is not in it`),
  ];
};
