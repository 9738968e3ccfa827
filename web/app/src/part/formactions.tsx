import { Button } from '@mantine/core';
import { useRef } from 'react';

import { useGiveBack } from '../live/giveback';
import { BusyButton } from './busybutton';

/** The buttons at the end of a form, which gives the focus back when it goes away. */
export function FormActions({ label, busy, disabled, onCancel }: { label: string; busy: boolean; disabled?: boolean; onCancel?: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  useGiveBack(place);
  return (
    <div className="line" ref={place}>
      <BusyButton type="submit" busy={busy} disabled={disabled}>{label}</BusyButton>
      {onCancel && <Button variant="default" onClick={onCancel}>Cancel</Button>}
    </div>
  );
}
