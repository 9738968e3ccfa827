const units = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** A number of bytes for people: 1.5 MB, of a thousand each. */
export function bytes(n: number): string {
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 || n >= 99.5 ? Math.round(n) : Number(n.toPrecision(2))} ${n === 1 && i === 0 ? 'byte' : units[i]}`;
}

const grouped = new Intl.NumberFormat('en');

/** A whole number for people: 100,000. */
export function count(n: number): string {
  return grouped.format(n);
}

/** A number with the noun that it counts: 1 task, 2 tasks. */
export function several(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A number of seconds for people: 340 ms, 8 s, 3 min 20 s, 2 h 5 min, 3 days. */
export function duration(seconds: number): string {
  if (seconds < 0) seconds = 0;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [unit, larger, small, large] = whole < 3600 ? [1, 60, 's', 'min'] : [60, 3600, 'min', 'h'];
  if (whole >= 2 * 86400) return several(Math.round(whole / 86400), 'day');
  const rest = Math.floor((whole % larger) / unit);
  return `${Math.floor(whole / larger)} ${large}${rest ? ` ${rest} ${small}` : ''}`;
}

/** How long ago, or in how long, an instant is: 5 s ago, 3 min ago, in 3 min 20 s. What is past is told by its largest unit, so that it seldom changes. */
export function relative(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000);
  if (Math.abs(seconds) < 1) return 'now';
  return seconds > 0 ? `${duration(seconds < 60 ? seconds : seconds - seconds % (seconds < 3600 ? 60 : 3600))} ago` : `in ${duration(-seconds)}`;
}

/** The seconds between two instants, or since one until now if the second is null. */
export function between(from: string, to: string | null | undefined, now: number): number {
  return ((to ? Date.parse(to) : now) - Date.parse(from)) / 1000;
}
