import type { LabelInput } from '../api.gen';

/** Labels as people write them: env=prod, mirror. */
export function labelsText(labels: readonly { key: string; value: string }[]): string {
  return labels.map(({ key, value }) => (value ? `${key}=${value}` : key)).join(', ');
}

/** The labels that somebody wrote. What is wrong with them, the server says. */
export function labelsOf(text: string): LabelInput[] {
  return text.split(',').map((term) => term.trim()).filter((term) => term !== '').map((term) => {
    const at = term.indexOf('=');
    return at < 0 ? { key: term, value: '' } : { key: term.slice(0, at).trim(), value: term.slice(at + 1).trim() };
  });
}
