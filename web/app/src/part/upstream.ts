/** What is wrong with a URL that somebody pasted, so that the server need not be asked what is there; undefined if nothing is. */
export function complaint(pasted: string): string | undefined {
  let url: URL;
  try {
    url = new URL(pasted.trim());
  } catch {
    return 'Paste a whole URL, such as https://example.org/files/';
  }
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) return `Only http, https and file are mirrored, not ${url.protocol.slice(0, -1)}.`;
  if (url.protocol !== 'file:' && url.hostname === '') return 'Paste a whole URL, such as https://example.org/files/';
  if (url.username || url.password) return 'A user name and password do not belong into the URL, which everybody sees: give them below.';
  return undefined;
}
