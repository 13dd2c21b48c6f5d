// Links in the text of a message. Needs no page.
//
// The text stays as it was written. Only http and https become links, and only where the address is what it seems to be.

// Ends at white space, quotes, brackets that are no part of it, full-width punctuation, and characters that nobody sees.
const ADDRESS = /https?:\/\/[^\s<>"'`“”‘’«»。，；：！？）」』】、\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+/gi;
const AFTER = /[.,;:!?…)\]}*_~]$/; // ends the sentence around an address
const LONGEST = 2000; // characters of an address

/** The parts of a text: `[{text, href}]`; `href` is null for what is no link. */
export function partsOf(text) {
  const parts = [];
  let upto = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const written = withoutEnd(found);
    const link = linkOf(written);
    if (!link) continue;
    if (index > upto) parts.push({ text: text.slice(upto, index), href: null });
    parts.push(link);
    upto = index + written.length;
  }
  if (upto < text.length) parts.push({ text: text.slice(upto), href: null });
  return parts;
}

/** Leave out the end of the sentence. A closing bracket belongs to the address if it opens there. */
function withoutEnd(found) {
  let address = found;
  while (AFTER.test(address) && !(address.endsWith(')') && count(address, '(') >= count(address, ')'))) {
    address = address.slice(0, -1);
  }
  return address;
}

function count(text, sign) {
  return text.split(sign).length - 1;
}

function linkOf(written) {
  if (written.length > LONGEST || !URL.canParse(written)) return null;
  const url = new URL(written);
  // What is before an @ looks like the host, and is not.
  if (!['http:', 'https:'].includes(url.protocol) || url.username || url.password) return null;
  const host = written.slice(url.protocol.length + 2).match(/^[^/?#]*/)[0];
  // Browsers skip further slashes before the host, and take \ for one: what seems to be the host is not.
  if (!host || host.includes('\\')) return null;
  if (host.toLowerCase().startsWith(url.hostname)) return { text: written, href: url.href };
  // Letters of another alphabet can look like those of a known host, so the host is shown as computers write it.
  return { text: written.replace(host, () => url.host), href: url.href };
}
