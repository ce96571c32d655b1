/** Short names for long texts. */

/** Ten hexadecimal digits that are always the same for a text (FNV-1a, 64 bits, the lower 40 of them). */
export const tenHex = (text: string): string => {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i += 1)
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  return BigInt.asUintN(40, hash).toString(16).padStart(10, '0');
};
