import type { RepositorySelector, SelectionFragment } from '../api.gen';

/** Which repositories a schedule is about, for people. */
export function selected({ ids, names, labels, all }: Omit<SelectionFragment, '__typename'>): string {
  if (all) return 'all repositories';
  if (labels != null) return `repositories with ${labels}`;
  return (names ?? ids ?? []).join(', ');
}

/** The selector that somebody wrote: nothing for all, names, or labels. */
export function selector(by: 'all' | 'names' | 'labels', text: string): RepositorySelector {
  switch (by) {
    case 'all': return { all: true };
    case 'labels': return { labels: text.trim() };
    case 'names': return { names: text.split(',').map((name) => name.trim()).filter((name) => name !== '') };
  }
}
