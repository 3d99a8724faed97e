import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { type Board, type Panel } from './board';

const SOURCE = { type: 'prometheus', uid: '$datasource' };
/** Grafana's grid has 24 columns; three panels beside each other. */
const [WIDTH, HEIGHT] = [8, 8];

/** A board as Grafana reads it from a file. */
export function grafanaJson(board: Board): string {
  const builder = new dashboard.DashboardBuilder(board.title)
    .uid(`illuvrse-kernel-${board.name}`)
    .tags(['illuvrse-kernel'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('utc')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    )
    .withVariable(
      new dashboard.QueryVariableBuilder('namespace')
        .label('Namespace')
        .query('label_values(process_start_time_seconds, namespace)')
        .datasource(SOURCE)
        .includeAll(true)
        .allValue('.*')
        .current({ selected: true, text: 'All', value: '$__all' }),
    );
  for (const panel of board.panels) builder.withPanel(panelOf(panel));
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf(panel: Panel): StatBuilder | TimeseriesBuilder {
  const builder = panel.kind === 'stat' ? new StatBuilder() : new TimeseriesBuilder();
  builder.title(panel.title).unit(panel.unit).datasource(SOURCE).span(WIDTH).height(HEIGHT);
  const description = descriptionOf(panel);
  if (description !== '') builder.description(description);
  panel.queries.forEach(({ expr, legend }, n) => {
    const query = new DataqueryBuilder()
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCharCode(65 + n));
    // Exemplars are links from a slow request to its trace.
    if (expr.startsWith('histogram_quantile(')) query.exemplar(true);
    builder.withTarget(query);
  });
  return builder;
}

/** A panel without a line says why, so that nobody takes it for broken. */
function descriptionOf({ description, queries }: Panel): string {
  const reasons = new Set(queries.flatMap(({ quiet }) => (quiet === undefined ? [] : [quiet])));
  const sentences = [description, reasons.size === 0 ? undefined : `Empty while ${[...reasons].join('; ')}.`];
  return sentences.filter((sentence) => sentence !== undefined).join(' ');
}
