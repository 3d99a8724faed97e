import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { timeText } from './time-text';
import { useTimes } from './times';

const HEIGHT = 120;

/** A small chart of one value over time. What it shows is said in its label too. */
export function Chart({
  label,
  times,
  values,
  unit,
}: {
  label: string;
  /** Seconds since 1970. */
  times: readonly number[];
  values: readonly (number | null)[];
  unit: string;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme('light');
  const { zone } = useTimes();

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const style = getComputedStyle(element);
    const text = style.getPropertyValue('--mantine-color-dimmed');
    const line = style.getPropertyValue('--mantine-color-anchor');
    const grid = style.getPropertyValue('--mantine-color-default-border');
    const axis = {
      stroke: text,
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    };
    const made = new uPlot(
      {
        width: Math.max(element.clientWidth, 100),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
        axes: [
          {
            ...axis,
            space: 80,
            size: 26,
            values: (_, splits) =>
              splits.map((seconds) => timeText(new Date(seconds * 1_000).toISOString(), zone).slice(11, 19)),
          },
          { ...axis, size: 44, space: 28 },
        ],
        series: [{}, { stroke: line, width: 1.5, points: { show: false } }],
      },
      [[], []],
      element,
    );
    plot.current = made;
    const watch = new ResizeObserver(() =>
      made.setSize({ width: Math.max(element.clientWidth, 100), height: HEIGHT }),
    );
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, zone]);

  useEffect(() => {
    plot.current?.setData([[...times], [...values]]);
  }, [times, values, scheme, zone]);

  const last = values.findLast((value) => value !== null) ?? null;
  const most = Math.max(0, ...values.filter((value) => value !== null));
  const said = last === null ? 'nothing yet' : `now ${round(last)} ${unit}, at most ${round(most)} ${unit}`;
  return <div ref={box} className="chart" role="img" aria-label={`${label}: ${said}`} />;
}

export function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
}
