/** How long to wait before the connection is tried again, in milliseconds: longer each time, up to five seconds, and never all clients at once. random is from 0 to 1. */
export function backoff(attempt: number, random: number): number {
  const longest = Math.min(5_000, 250 * 2 ** attempt);
  return longest / 2 + (longest / 2) * random;
}

/** Whether a connection ended because of who asks, so that trying again is of no use. */
export function isRefusal(event: unknown): boolean {
  const code = typeof event === 'object' && event !== null && 'code' in event ? event.code : undefined;
  return code === 4401 || code === 4403;
}
