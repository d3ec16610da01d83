/** Spellings of one address: people type it one way and then another. */

/** What the spellings of an e-mail address or a phone share, by the rules of the service: it takes them for one as well. */
export function spelled(address: string): string {
  const plain = address.trim().normalize("NFKC");
  const at = plain.lastIndexOf("@");
  // All that stands between a phone's digits is for the eye.
  if (at < 0) return plain.replace(/[^+\p{Nd}]/gu, "").replace(/^\++/, "+").replace(/[^+0-9]/gu, value);
  const local = plain.slice(0, at).toLowerCase().replaceAll("ς", "σ");
  return `${local}@${ascii(plain.slice(at + 1))}`;
}

/** The value of a decimal digit of any script: those of a script stand together in their order, 0 first. */
function value(digit: string): string {
  const point = digit.codePointAt(0) ?? 0;
  let zero = point;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  // Several scripts may follow each other.
  return String((point - zero) % 10);
}

/** A domain as the DNS has it: in lower case, `xn--…` where it has other letters. */
function ascii(domain: string): string {
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return domain.toLowerCase();
  }
}
