import { Button } from '@mantine/core';

/** The buttons at the end of a form. */
export function FormActions({ label, busy, disabled, onCancel }: { label: string; busy: boolean; disabled?: boolean; onCancel?: () => void }) {
  return (
    <div className="line">
      <Button type="submit" loading={busy} disabled={disabled}>{label}</Button>
      {onCancel && <Button variant="default" onClick={onCancel}>Cancel</Button>}
    </div>
  );
}
