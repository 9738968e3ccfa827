import { type RefObject, useLayoutEffect, useState } from 'react';

/** Gives the focus back when a form goes away that took it: to what had it before, or to the page if that is gone, too. */
export function useGiveBack(within: RefObject<Element | null>) {
  const [before] = useState(() => document.activeElement); // when the form is drawn first, it has not taken the focus yet
  useLayoutEffect(() => {
    const form = within.current!.closest('form');
    return () => {
      const { activeElement, body } = document;
      if (activeElement !== body && !form?.contains(activeElement)) return; // it has been somewhere else since
      const next = before?.isConnected && before !== body ? before : document.querySelector('main');
      (next as HTMLElement | null)?.focus();
    };
  }, []);
}

/** Hands the focus on when a button goes away that has it, to the page if nothing is next: the keyboard goes on there, and not at the very beginning. */
export function usePassOn(button: RefObject<Element | null>, next?: RefObject<HTMLElement | null>) {
  useLayoutEffect(() => {
    const own = button.current;
    return () => {
      if (document.activeElement === own) (next?.current ?? document.querySelector('main'))?.focus();
    };
  }, []);
}
