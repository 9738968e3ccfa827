import type { ReactNode } from 'react';

/** A name with its value, in a list of facts. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div><dt>{name}</dt><dd className="wrap">{children}</dd></div>;
}
