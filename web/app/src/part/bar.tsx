import type { CountsFragment, TaskState } from '../api.gen';
import { shares, stateName } from './state';
import { count } from './text';

/** A state with its colour. */
export function State({ state }: { state: TaskState }) {
  return <span className="state" data-state={state}>{stateName(state)}</span>;
}

/** How many tasks are in each state, as a bar that moves. */
export function StatesBar({ counts, tall = false, legend = false }: { counts: CountsFragment; tall?: boolean; legend?: boolean }) {
  const parts = shares(counts);
  const told = parts.map(({ state, count: n }) => `${count(n)} ${stateName(state).toLowerCase()}`).join(', ') || 'no tasks';
  return (
    <>
      <div className={tall ? 'bar tall' : 'bar'} role="img" aria-label={told}>
        {parts.map(({ state, percent }) => <span key={state} data-state={state} style={{ flexGrow: percent, flexBasis: 0 }} />)}
      </div>
      {legend && (
        <ul className="legend numbers">
          {parts.map(({ state, count: n }) => (
            <li key={state} className="state" data-state={state} data-count={n}>{count(n)} {stateName(state).toLowerCase()}</li>
          ))}
        </ul>
      )}
    </>
  );
}

/** How much of something is done, from 0 to 1. */
export function Line({ share, label, state }: { share: number; label: string; state?: TaskState }) {
  return (
    <div className="thin" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} data-state={state}>
      <span style={{ width: `${share * 100}%` }} />
    </div>
  );
}
