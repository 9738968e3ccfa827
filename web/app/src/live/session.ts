import { Store } from './store';

const key = 'ream.token';

/** What the server last said of who asks: whether a token is needed, and why the one that was sent is not good. */
export type Demand = { needed: boolean; reason?: string };

/** Whether the pages have to ask for a token before they can go on. */
export const demand = new Store<Demand>({ needed: false });

/** The token of this tab, or the one that this browser remembers. */
export function token(): string | null {
  return sessionStorage.getItem(key) ?? localStorage.getItem(key);
}

/** Keeps a token for this tab, or for this browser. */
export function keep(token: string, remember: boolean) {
  forget();
  (remember ? localStorage : sessionStorage).setItem(key, token);
}

/** Forgets the token. */
export function forget() {
  sessionStorage.removeItem(key);
  localStorage.removeItem(key);
}

/** The headers, or the payload of a connection, that show who asks. */
export function credentials(): Record<string, string> {
  const held = token();
  return held ? { Authorization: `Bearer ${held}` } : {};
}
