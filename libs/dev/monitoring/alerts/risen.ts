/**
 * Whether a counter has grown within the window, its first count included: a series that begins with 1 was never 0 for Prometheus,
 * and increase() sees nothing.
 *
 * @param by labels of the result
 */
export function risen(by: string, selector: string, window: string): string {
  return [
    `sum by (${by}) (increase(${selector}[${window}])) > 0`,
    `sum by (${by}) (${selector} unless ${selector} offset ${window}) > 0`,
  ].join(' or ');
}
