/** A small generator of numbers from 0 to 1, the same in every run, so that a failure can be seen again. */
export const numbers = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};
