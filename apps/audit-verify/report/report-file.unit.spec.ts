import { jsonReportPath, reportKind } from './report-file';

describe('the file of a report', () => {
  it.each([
    ['report.html', 'html'],
    ['a.b/REPORT.CSV', 'csv'],
    ['report.json', 'json'],
  ])('%s has the kind %s', (path, kind) => expect(reportKind(path)).toBe(kind));

  it.each(['report', 'report.pdf', '.html', ''])('is none with the name "%s"', (path) => {
    expect(() => reportKind(path)).toThrow(/must end with .html, .csv or .json/);
  });

  it('is JSON where there is only that', () => {
    expect(jsonReportPath('r.json')).toBe('r.json');
    expect(() => jsonReportPath('r.html')).toThrow(/name a file that ends with .json/);
  });
});
