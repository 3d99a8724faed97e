import { type ReasonTrace } from './division-queries';

export type TraceStep = ReasonTrace['trace'][number];

export interface TraceNode {
  readonly step: TraceStep;
  readonly x: number;
  readonly y: number;
}

/** From a cause to what rests on it. */
export interface TraceEdge {
  readonly from: TraceNode;
  readonly to: TraceNode;
  readonly relation: string;
  readonly path: string;
}

export interface TraceDrawing {
  readonly nodes: readonly TraceNode[];
  readonly edges: readonly TraceEdge[];
  readonly width: number;
  readonly height: number;
  /** Where the words of a row begin. */
  readonly textX: number;
}

const ROW = 48;
const LANE = 22;
const MARGIN = 16;
const TEXT = 340;
/** Further away than this, events share the last lane: a drawing has to stay readable. */
const MOST_LANES = 10;

/**
 * Places a trace as a graph: one row for each event, the oldest first, and a lane for each distance from what was asked
 * about, which is leftmost.
 */
export function layOut(trace: readonly TraceStep[]): TraceDrawing {
  const rows = [...trace].sort((a, b) => a.step - b.step);
  const laneOf = ({ distance }: TraceStep) => Math.min(Math.max(distance, 0), MOST_LANES - 1);
  const lanes = rows.reduce((most, step) => Math.max(most, laneOf(step) + 1), 1);
  const nodes = rows.map((step, row) => ({
    step,
    x: MARGIN + laneOf(step) * LANE,
    y: row * ROW + ROW / 2,
  }));
  const byId = new Map(nodes.map((node) => [node.step.id, node]));
  const edges = nodes.flatMap((to) =>
    to.step.because.flatMap(({ relation, id }) => {
      const from = byId.get(id);
      return from === undefined || from === to ? [] : [{ from, to, relation, path: curve(from, to) }];
    }),
  );
  const textX = MARGIN + (lanes - 1) * LANE + 20;
  return { nodes, edges, width: textX + TEXT, height: Math.max(1, rows.length) * ROW, textX };
}

function curve(from: TraceNode, to: TraceNode): string {
  if (from.x === to.x) {
    // Beside the lane, so that it does not run through the events between them.
    const isNext = Math.abs(to.y - from.y) <= ROW;
    const bend = isNext ? from.x : from.x - 10;
    return `M ${from.x} ${from.y} C ${bend} ${from.y + ROW / 2}, ${bend} ${to.y - ROW / 2}, ${to.x} ${to.y}`;
  }
  const middle = (from.y + to.y) / 2;
  return `M ${from.x} ${from.y} C ${from.x} ${middle}, ${to.x} ${middle}, ${to.x} ${to.y}`;
}

export type Move = 'up' | 'down' | 'cause' | 'effect' | 'first' | 'last';

/** Where the focus goes by keyboard: along the rows, or along what rests on what. */
export function moveFrom({ nodes, edges }: TraceDrawing, id: string, move: Move): string {
  const at = nodes.findIndex(({ step }) => step.id === id);
  const idAt = (row: number) => nodes[Math.min(Math.max(row, 0), nodes.length - 1)]?.step.id ?? id;
  switch (move) {
    case 'up':
      return idAt(at - 1);
    case 'down':
      return idAt(at + 1);
    case 'first':
      return idAt(0);
    case 'last':
      return idAt(nodes.length - 1);
    case 'cause':
      return edges.find(({ to }) => to.step.id === id)?.from.step.id ?? id;
    case 'effect':
      return edges.find(({ from }) => from.step.id === id)?.to.step.id ?? id;
  }
}

/** What a row says. */
export function stepTitle({ withheld, type, position }: TraceStep): string {
  return withheld ? `withheld, at ${position}` : (type ?? position);
}

/** A text that fits into a row of the drawing. */
export function cut(text: string, length = 52): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
