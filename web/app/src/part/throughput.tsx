import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

import { chartData, clock, type Sample, span, summary } from './samples';

/** How the queue and what was finished went over the last minutes. */
export default function Throughput({ samples }: { samples: Sample[] }) {
  const { ref: measured, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const data = chartData(samples);
  const latest = useRef(data);
  latest.current = data;
  const scheme = useComputedColorScheme();
  useEffect(() => {
    if (width === 0 || !place.current) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: color('--mantine-color-dimmed'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 } };
    const line = (label: string, name: string, scale: string, fill?: boolean) => ({
      label, scale, stroke: color(`--state-${name}`), width: 2, points: { show: false }, fill: fill ? color(`--state-${name}`) + '22' : undefined,
    });
    const plot = new uPlot({
      width,
      height: 240,
      series: [
        { label: 'Time', value: (_plot: uPlot, at: number | null) => at === null ? '--' : clock([at])[0]! },
        line('Waiting', 'waiting', 'y', true),
        line('Running', 'running', 'y', true),
        line('Completed a second', 'completed', 'rate'),
        line('Failed a second', 'failed', 'rate'),
      ],
      scales: { x: { range: (_plot, min: number | null, max: number | null) => span(min ?? Date.now() / 1000, max ?? Date.now() / 1000) }, y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.1)] }, rate: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [{ ...axis, values: (_plot: uPlot, ticks: number[]) => clock(ticks) }, { ...axis, label: 'tasks', labelSize: 20, size: 48 }, { ...axis, scale: 'rate', side: 1, grid: { show: false }, label: 'a second', labelSize: 20, size: 48 }],
      cursor: { drag: { x: false, y: false } },
    }, latest.current, place.current);
    chart.current = plot;
    return () => {
      chart.current = undefined;
      plot.destroy();
    };
  }, [width, scheme]);
  useEffect(() => chart.current?.setData(data), [data]);
  return <div ref={measured} role="img" aria-label={summary(samples)}><div ref={place} className="chart" /></div>;
}
