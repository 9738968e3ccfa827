import type { CountsFragment, TaskState } from '../api.gen';

/** The states in the order in which bars show them: what is over first, so that it grows from the left. */
export const states = ['COMPLETED', 'FAILED', 'CANCELED', 'SKIPPED', 'CANCELING', 'RUNNING', 'WAITING'] as const satisfies readonly TaskState[];

/** A state as people write it: Completed. */
export function stateName(state: TaskState): string {
  return state[0] + state.slice(1).toLowerCase();
}

/** How many tasks of the counts are in a state. */
export function inState(counts: CountsFragment, state: TaskState): number {
  return counts[state.toLowerCase() as Lowercase<TaskState>];
}

/** The share of each state that has any tasks, in percent, in the order of bars. */
export function shares(counts: CountsFragment): { state: TaskState; count: number; percent: number }[] {
  return states
    .map((state) => ({ state, count: inState(counts, state), percent: counts.total ? (100 * inState(counts, state)) / counts.total : 0 }))
    .filter(({ count }) => count > 0);
}

type Amount = { itemsDone: number; itemsTotal: number; bytesDone: number; bytesTotal: number };

/** How much of some work is done, from 0 to 1; undefined while nothing can be said. Bytes tell more than items. */
export function done({ itemsDone, itemsTotal, bytesDone, bytesTotal }: Amount): number | undefined {
  if (bytesTotal > 0) return Math.min(1, bytesDone / bytesTotal);
  if (itemsTotal > 0) return Math.min(1, itemsDone / itemsTotal);
  return undefined;
}

type Filter = { label: string; states?: TaskState[]; finished?: boolean };

/** The filters of a list of tasks, by the name that the address of the page has. */
export const filters: Record<string, Filter> = {
  all: { label: 'All' },
  unfinished: { label: 'Unfinished', finished: false },
  finished: { label: 'Finished', finished: true },
  failed: { label: 'Failed', states: ['FAILED'] },
};

/** How many tasks of the counts a filter leaves. */
export function selected(counts: CountsFragment, { states, finished }: Filter): number {
  if (states) return states.reduce((sum, state) => sum + inState(counts, state), 0);
  if (finished === undefined) return counts.total;
  return finished ? counts.finished : counts.unfinished;
}

/** What stands between a task and its start, for people; undefined if it does not wait. */
export function waitsFor(task: { state: TaskState; ahead: number; blockedBy: { nodes: { id: string; name: string }[] } }): string | undefined {
  if (task.state !== 'WAITING') return undefined;
  const blocker = task.blockedBy.nodes[0];
  if (blocker) return `waits for ${blocker.name} (${blocker.id})`;
  return task.ahead > 0 ? `behind ${task.ahead === 1 ? '1 other task' : `${task.ahead.toLocaleString('en')} other tasks`}` : 'next for a free worker';
}

/** What to do about an error of this code, beside what its message says; undefined if nothing more can be said. */
export function remedy(code: string): string | undefined {
  switch (code) {
    case 'SKIPPED': return 'See to what it comes after, then retry it.';
    case 'UNAVAILABLE': return 'Upstream or the storage could not be reached. Check the remote and the network, then retry.';
    case 'WORKER_LOST': return 'The process that ran it ended again and again. Look into its log, then retry.';
    case 'BAD_INPUT': return 'What upstream or the request says is not right, so that retrying alone will not help.';
    default: return undefined;
  }
}
