import { Component, type ReactNode } from 'react';

import { Problem } from './problem';

/** Shows an error of a page in its place, and leaves the rest as it is. */
export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    return error ? <Problem error={error} onRetry={() => location.reload()} /> : this.props.children;
  }
}
