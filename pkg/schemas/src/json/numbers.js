// Whether a number is a multiple of another, as decimals: 0.0075 is one of 0.0001, which floating point denies.

/** @param {number} value @param {number} divisor */
export function isMultiple(value, divisor) {
  if (!Number.isFinite(value)) return false;
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const a = decimal(value);
  const b = decimal(divisor);
  const scale = Math.min(a.exponent, b.exponent);
  return (a.digits * 10n ** BigInt(a.exponent - scale)) % (b.digits * 10n ** BigInt(b.exponent - scale)) === 0n;
}

/** The shortest decimal that reads as this number, which is what stood in the text or equals it. @param {number} number */
function decimal(number) {
  const [, whole = '', fraction = '', exponent = '0'] = String(number).match(/^(-?\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/) ?? [];
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}
