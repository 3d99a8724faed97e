import { jsonReportPath, reportKind, takeJsonReport } from './report-file';

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

  it.each([
    [['--upgrade', 'u', '--report', 'r.json', '--json'], ['--upgrade', 'u', '--json'], 'r.json'],
    [['--report=r.json', '--upgrade', 'u'], ['--upgrade', 'u'], 'r.json'],
    [['--upgrade', 'u'], ['--upgrade', 'u'], null],
  ])('is taken out of %j', (argv, rest, path) => {
    expect(takeJsonReport(argv)).toEqual({ rest, path });
  });

  it('has a name', () => {
    expect(() => takeJsonReport(['--upgrade', 'u', '--report'])).toThrow(/needs the name of a file/);
  });
});
