import { type AuditEvent } from '../../../api/queries';
import { eventLines, firstLines } from './event-lines';
import { commandLine } from './command-line';

const CANONICAL =
  '{"actor":{"id":"spiffe://kernel/a","kind":"service","roles":["Operator","Auditor"]},"causationId":null,"correlationId":null,' +
  '"group":{"count":1,"first":7,"path":[]},"hash":"ab","id":"x","payload":{"10":1,"9":2,"note":"=1+1"},"prevHash":"cd","seq":7,' +
  '"shard":0,"signature":"s","signerKid":"k1","stream":"=cmd/1","streamVersion":1,"ts":"2026-01-31T10:00:00.000Z","type":"a.b","v":1}';
const EVENT = JSON.parse(CANONICAL) as AuditEvent;

describe('an export', () => {
  it('has the canonical bytes as NDJSON, whatever the names of members are', () => {
    expect(firstLines('ndjson')).toBe('');
    expect(eventLines('ndjson', [EVENT, EVENT])).toBe(`${CANONICAL}\n${CANONICAL}\n`);
  });

  it('has nothing that a spreadsheet runs as CSV', () => {
    const [head, line, rest] = `${firstLines('csv')}${eventLines('csv', [EVENT])}`.split('\r\n');
    expect(head?.split(',').slice(0, 5)).toEqual(['time', 'id', 'shard', 'seq', 'type']);
    expect(line).toBe(
      `2026-01-31T10:00:00.000Z,x,0,7,a.b,'=cmd/1,1,spiffe://kernel/a,service,Operator Auditor,,,k1,ab,"{""10"":1,""9"":2,""note"":""=1+1""}"`,
    );
    expect(rest).toBe('');
  });

  it('names the command that gets all of it, safe to paste', () => {
    expect(commandLine({ type: 'invoice.paid', signerKid: "it's", cursor: 'c' })).toBe(
      `./kernel audit find --type invoice.paid --signer-kid 'it'\\''s' --limit 1000000 --json > events.ndjson`,
    );
  });
});
