/** How deeply JSON is nested. */

const isNest = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * Whether lists and objects lie in each other more than so many levels deep. Asked level by level: a recursion
 * would end the way that it is to prevent, by an overflow of the stack.
 */
export const isDeeperThan = (value: unknown, most: number): boolean => {
  let level = [value].filter(isNest);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === most) return true;
    level = level.flatMap((one): unknown[] => Object.values(one)).filter(isNest);
  }
  return false;
};
