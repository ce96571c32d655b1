/** `./tool gen`: writes what is generated from the source, and tells what is out of date. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../host/script.ts';
import { generate } from './generated.ts';

/** Generated files whose content in the checkout is not what the source gives. */
export const staleFiles = async (): Promise<readonly string[]> =>
  Object.entries(await generate())
    .filter(
      ([path, content]) =>
        !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== content,
    )
    .map(([path]) => path);

/** The command. */
export const gen = async (): Promise<void> => {
  const all = await generate();
  for (const path of await staleFiles()) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), all[path] as string);
    process.stdout.write(`${path}\n`);
  }
};
