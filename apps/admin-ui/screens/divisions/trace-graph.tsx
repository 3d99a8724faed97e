import '../operations/operations.css';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from 'react';
import { visibleText } from '../../parts/visible-text';
import { cut, layOut, type Move, moveFrom, stepTitle, type TraceNode, type TraceStep } from './trace-layout';

const MOVES: Readonly<Record<string, Move>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'cause',
  ArrowRight: 'effect',
  Home: 'first',
  End: 'last',
};

/** A trace as a graph. One of its events is in the order of Tab; arrows go on from there, Enter opens. */
export function TraceGraph({
  trace,
  label,
  describedBy,
}: {
  trace: readonly TraceStep[];
  label: string;
  describedBy: string;
}): ReactNode {
  const drawing = useMemo(() => layOut(trace), [trace]);
  const [chosen, setChosen] = useState<string | null>(null);
  const navigate = useNavigate();
  const svg = useRef<SVGSVGElement>(null);
  const first = drawing.nodes.find(({ step: { distance } }) => distance === 0) ?? drawing.nodes.at(-1);
  const current = drawing.nodes.some(({ step: { id } }) => id === chosen) ? chosen : (first?.step.id ?? null);

  const move = (event: KeyboardEvent) => {
    const to = MOVES[event.key];
    if (to === undefined || current === null) return;
    event.preventDefault();
    const id = moveFrom(drawing, current, to);
    setChosen(id);
    svg.current?.querySelector<SVGElement>(`[data-id="${CSS.escape(id)}"]`)?.focus();
  };
  return (
    <div className="scroll-x">
      <svg
        ref={svg}
        className="trace"
        width={drawing.width}
        height={drawing.height}
        viewBox={`0 0 ${drawing.width} ${drawing.height}`}
        role="group"
        aria-label={label}
        aria-describedby={describedBy}
        onKeyDown={move}
      >
        <g aria-hidden="true">
          {drawing.edges.map(({ from, to, path, relation }) => (
            <path
              key={`${from.step.id} ${to.step.id} ${relation}`}
              d={path}
              className={from.step.id === current || to.step.id === current ? 'of-chosen' : ''}
            />
          ))}
        </g>
        {drawing.nodes.map((node) => (
          <Row
            key={node.step.id}
            node={node}
            textX={drawing.textX}
            width={drawing.width}
            isCurrent={node.step.id === current}
            choose={() => setChosen(node.step.id)}
            open={() => void navigate({ to: '/audit/$id', params: { id: node.step.id } })}
          />
        ))}
      </svg>
    </div>
  );
}

function Row({
  node: { step, x, y },
  textX,
  width,
  isCurrent,
  choose,
  open,
}: {
  node: TraceNode;
  textX: number;
  width: number;
  isCurrent: boolean;
  choose: () => void;
  open: () => void;
}): ReactNode {
  const title = visibleText(stepTitle(step));
  const detail = step.withheld ? '' : visibleText(step.note ?? step.stream ?? '');
  const said = `${title}, ${step.position}${detail === '' ? '' : `, ${detail}`}`;
  const content = (
    <>
      <rect className="focus-ring" x={1} y={y - 22} width={width - 2} height={44} rx={6} />
      <circle cx={x} cy={y} r={6} />
      <text x={textX} y={y - 2}>
        {cut(title, 42)}
      </text>
      {/* The link is named by its words: between the two there has to be a space. */}{' '}
      <text x={textX} y={y + 14} className="less">
        {cut(`${step.position}  ${detail}`, 58)}
      </text>
    </>
  );
  const shared = {
    'data-id': step.id,
    tabIndex: isCurrent ? 0 : -1,
    onFocus: choose,
  };
  const asked = step.distance === 0 ? ' asked' : '';
  if (step.withheld) {
    return (
      <g className={`node withheld${asked}`} role="img" aria-label={said} {...shared}>
        {content}
      </g>
    );
  }
  return (
    <a
      className={`node${asked}`}
      href={`/audit/${step.id}`}
      {...shared}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        open();
      }}
    >
      {content}
    </a>
  );
}
