import { Button } from '@mantine/core';
import { useRef, useState } from 'react';

import { usePassOn } from '../live/giveback';

/** A button for what cannot be undone: it asks once more. Its name tells it from others like it. */
export function ConfirmButton({ label, name, question, onConfirm }: { label: string; name?: string; question: string; onConfirm: () => void }) {
  const [asked, setAsked] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  usePassOn(button); // it goes away with what was deleted
  const click = () => {
    setAsked(!asked);
    if (asked) onConfirm();
  };
  return (
    <Button ref={button} size="compact-sm" variant="outline" color="var(--state-failed)" aria-label={asked ? undefined : name} onClick={click} onBlur={() => setAsked(false)}
      onKeyDown={({ key }) => { if (key === 'Escape') setAsked(false); }}>
      {asked ? question : label}
    </Button>
  );
}
