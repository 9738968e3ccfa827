import { Button, type ButtonProps } from '@mantine/core';
import { type ComponentPropsWithoutRef, type RefObject, useRef } from 'react';

import { usePassOn } from '../live/giveback';

type Props = ButtonProps & ComponentPropsWithoutRef<'button'> & {
  busy: boolean;
  /** What gets the focus when the button goes away with it. */
  next?: RefObject<HTMLElement | null>;
};

/**
 * A button whose press takes a while. It looks like one that is being loaded, and does nothing until it is no longer busy,
 * but keeps the keyboard's focus: browsers take it from a disabled button, and the next Tab begins at the top of the page.
 */
export function BusyButton({ busy, disabled, next, onClick, ...props }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  usePassOn(button, next);
  const off = busy || disabled;
  // Nor may what the press led to disable it, such as a field that is empty again, as long as it has the focus.
  const native = disabled && document.activeElement !== button.current;
  return (
    <Button {...props} ref={button} loading={busy} aria-disabled={off || undefined} disabled={disabled}
      onClick={(event) => off ? event.preventDefault() : onClick?.(event)}
      renderRoot={(root) => <button {...root} disabled={native} />} />
  );
}
