import type { ReactNode } from 'react';

/** What may be wider than the page, and scrolls then. */
export function Scrolling({ label, children }: { label: string; children: ReactNode }) {
  return <div className="scroll" tabIndex={0} role="region" aria-label={label}>{children}</div>;
}
