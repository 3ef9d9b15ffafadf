import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { CONTENT, type Guard, mcCommand, PLAIN } from './servers';

const FORGED = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' };

export function describeWire(guard: () => Guard): void {
  describe('on the wire', () => {
    test('a refusal is in the audit log like any other answer', async () => {
      const { guarded } = guard();
      const answer = await guarded.raw.send({
        method: 'PUT',
        path: `/${PLAIN}/audited`,
        headers: { 'x-minio-source-etag': 'a'.repeat(32) },
        body: CONTENT,
      });
      const requestId = String(answer.headers['x-amz-request-id']);
      expect(answer.text).toContain(`<RequestId>${requestId}</RequestId>`);
      expect(await guarded.audit.entryOf(requestId)).toMatchObject({
        api: { name: 'EBSGuard.internal-header', bucket: PLAIN, object: 'audited', statusCode: 403 },
      });
    });

    test('and in the trace', async () => {
      const { guarded } = guard();
      const { program, args, env } = await mcCommand(guarded.storage, ['admin', 'trace', '--json', 'guard']);
      const trace = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
      let seen = '';
      trace.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')));
      try {
        // it takes mc a while to listen
        await waitFor({ what: 'the refusal in the trace', timeoutMs: 60_000 }, async () => {
          await guarded.raw.send({
            method: 'POST',
            path: `/${PLAIN}/object`,
            query: { select: '', 'select-type': '2' },
          });
          return seen.includes('s3.EBSGuard.select') ? true : new NotYet(`${seen.length} bytes of trace`);
        });
      } finally {
        const ended = once(trace, 'exit');
        trace.kill('SIGTERM');
        await ended;
      }
    });

    test('HEAD says the refusal in headers', async () => {
      const { headers, status } = await guard().guarded.raw.send({
        method: 'HEAD',
        path: `/${PLAIN}/object`,
        headers: { 'x-minio-source-replication-request': 'true' },
      });
      expect([status, headers['x-minio-error-desc']]).toEqual([
        403,
        expect.stringContaining('refused by the rule internal-header of ebs-guard: '),
      ]);
    });

    test('HTTP/2 makes no difference', async () => {
      const { url, caFile } = guard().guarded.storage;
      const session = connect(url, { ca: readFileSync(caFile) });
      try {
        const stream = session.request({ ':method': 'PUT', ':path': `/${PLAIN}/forged`, ...FORGED });
        stream.end(CONTENT);
        const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
        expect(headers[':status']).toBe(403);
        expect(await text(stream)).toContain('refused by the rule unsigned-streaming of ebs-guard: ');
      } finally {
        session.close();
      }
    });

    test('a body that never ends is not waited for', async () => {
      const { url, caFile } = guard().guarded.storage;
      const endless = new Readable({
        read() {
          setImmediate(() => this.push(Buffer.alloc(1024)));
        },
      });
      const outgoing = httpsRequest(`${url}/${PLAIN}/forged`, {
        method: 'PUT',
        ca: readFileSync(caFile),
        headers: { ...FORGED, 'transfer-encoding': 'chunked' },
      });
      // the server closes the connection under it
      outgoing.on('error', () => endless.destroy());
      endless.pipe(outgoing);
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      endless.destroy();
      expect(answer.statusCode).toBe(403);
      outgoing.destroy();
    });

    test('a header that is there twice is refused', async () => {
      const { url, caFile } = guard().guarded.storage;
      const outgoing = httpsRequest(`${url}/${PLAIN}/object`, { ca: readFileSync(caFile) });
      outgoing.setHeader('x-amz-date', ['20260101T000000Z', '20270101T000000Z']);
      outgoing.end();
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      expect(await text(answer)).toContain('refused by the rule repeated-parameter of ebs-guard: ');
    });

    test('administration and health are not S3', async () => {
      const { raw } = guard().guarded;
      const headers = { 'x-minio-source-replication-request': 'true' };
      const health = await raw.send({ method: 'GET', path: '/minio/health/live', headers, signature: 'none' });
      const info = await raw.send({ method: 'GET', path: '/minio/admin/v3/info', headers });
      expect([health.status, info.status]).toEqual([200, 200]);
    });
  });
}
