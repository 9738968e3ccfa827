import { useEffect, useRef } from 'react';

/** Calls act after value changed, at once and then at most once in each interval of so many milliseconds, and never twice at the same time. The last change is never missed. */
export function useSteady(value: unknown, interval: number, act: () => Promise<void>) {
  const latest = useRef(act);
  latest.current = act;
  const keeper = useRef<Steady>(undefined);
  useEffect(() => {
    const steady = new Steady(interval, () => latest.current());
    keeper.current = steady;
    return () => steady.stop();
  }, [interval]);
  useEffect(() => keeper.current?.poke(), [value]);
}

/** Acts when poked, and keeps the pace. */
export class Steady {
  #timer?: ReturnType<typeof setTimeout>;
  #running = false;
  #again = false;
  #stopped = false;

  constructor(private interval: number, private act: () => Promise<void>) {}

  poke() {
    if (this.#stopped) return;
    if (this.#running || this.#timer !== undefined) {
      this.#again = true;
      return;
    }
    void this.#run();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #run() {
    this.#running = true;
    this.#again = false;
    try {
      await this.act();
    } finally {
      this.#running = false;
      if (!this.#stopped) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          if (this.#again) void this.#run();
        }, this.interval);
      }
    }
  }
}
