import { Button, type ButtonProps } from '@mantine/core';
import { type ComponentProps, useRef } from 'react';

import { usePassOn } from '../live/giveback';

/**
 * A button whose press takes a while. It looks like one that is being loaded, and does nothing until it is no longer busy,
 * but keeps the keyboard's focus: browsers take it from a disabled button, and the next Tab begins at the top of the page.
 */
export function BusyButton({ busy, disabled, onClick, ...props }: ButtonProps & ComponentProps<'button'> & { busy: boolean }) {
  const button = useRef<HTMLButtonElement>(null);
  usePassOn(button);
  return (
    <Button {...props} ref={button} loading={busy} aria-disabled={busy || undefined} disabled={disabled}
      onClick={(event) => busy ? event.preventDefault() : onClick?.(event)}
      renderRoot={(root) => <button {...root} disabled={disabled} />} />
  );
}
