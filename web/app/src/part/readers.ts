import type { DistributionAccess, DistributionLineFragment } from '../api.gen';

/** Who can be said to read what a distribution serves, each with what that means. */
export const accesses: { value: DistributionAccess; label: string }[] = [
  { value: 'SERVER', label: 'Whoever may read where nothing else is said' },
  { value: 'PUBLIC', label: 'Everybody' },
  { value: 'TOKEN', label: 'Only who has a token' },
];

/** Who may read what a distribution serves, on this server. */
export function readers({ access, needsToken }: Pick<DistributionLineFragment, 'access' | 'needsToken'>): string {
  const who = needsToken ? 'who has a token' : 'everybody';
  return access === 'SERVER' ? `${who}, as the server says` : who;
}
