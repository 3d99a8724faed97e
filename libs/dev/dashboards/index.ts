/** Dashboards for Grafana, as code: what they ask of Prometheus, and the JSON that they become. */
export { boards } from './boards';
export { type Board, type Panel, type Query } from './board';
export { grafanaJson } from './grafana-json';
