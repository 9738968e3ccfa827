import { Button } from '@mantine/core';
import { useState } from 'react';

/** A button for what cannot be undone: it asks once more. Its name tells it from others like it. */
export function ConfirmButton({ label, name, question, onConfirm }: { label: string; name?: string; question: string; onConfirm: () => void }) {
  const [asked, setAsked] = useState(false);
  const click = () => {
    setAsked(!asked);
    if (asked) onConfirm();
  };
  return (
    <Button size="compact-sm" variant="outline" color="var(--state-failed)" aria-label={asked ? undefined : name} onClick={click} onBlur={() => setAsked(false)}
      onKeyDown={({ key }) => { if (key === 'Escape') setAsked(false); }}>
      {asked ? question : label}
    </Button>
  );
}
