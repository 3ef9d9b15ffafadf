import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { retryTime } from '../../../../operations/certificates/acme/authority';
import { freePorts } from '../../../../operations/lib/net/free-ports';
import { responder } from '../../../../operations/certificates/acme/responders';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

describe('http-01', () => {
  const challenge = async () => {
    const [port = 0] = await freePorts(1);
    return { type: 'http-01' as const, address: '127.0.0.1', port };
  };

  test('answers a challenge from when it is presented until it is cleaned up, and nothing else', async () => {
    const settings = await challenge();
    const answering = await responder(settings);
    const get = async (where: string) => {
      const response = await fetch(`http://127.0.0.1:${settings.port}${where}`);
      return response.status === 200 ? response.text() : response.status;
    };
    try {
      await answering.present('s3.example.org', 'token', 'token.thumbprint');
      expect(await get('/.well-known/acme-challenge/token')).toBe('token.thumbprint');
      expect(await get('/.well-known/acme-challenge/other')).toBe(404);
      expect(await get('/.well-known/acme-challenge/__proto__')).toBe(404);
      expect(await get('/token')).toBe(404);
      await answering.cleanUp('s3.example.org', 'token', 'token.thumbprint');
      expect(await get('/.well-known/acme-challenge/token')).toBe(404);
    } finally {
      await answering.close();
    }
  });

  test('says so when something else listens there', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const refusal = await rejectionOf(responder({ type: 'http-01', address: '127.0.0.1', port }));
    expect(refusal.message).toBe(
      `tls.challenge: nothing can listen on 127.0.0.1:${port} to answer the ACME authority: EADDRINUSE`,
    );
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('dns-01', () => {
  const hook = (script: string): string => {
    const file = path.join(folder(), 'hook');
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return file;
  };

  test('calls the hook as lego does: the record with its dot, the same for a wildcard', async () => {
    const log = path.join(folder(), 'log');
    const answering = await responder({ type: 'dns-01', hook: hook(`echo "$@" >> '${log}'`) });
    await answering.present('s3.example.org', 'token', 'digest');
    await answering.cleanUp('*.s3.example.org', 'token', '-digest');
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual([
      'present _acme-challenge.s3.example.org. digest',
      'cleanup _acme-challenge.s3.example.org. -digest',
    ]);
  });

  test('a hook that fails is quoted', async () => {
    const file = hook('echo "zone is locked" >&2; exit 3');
    const answering = await responder({ type: 'dns-01', hook: file });
    const refusal = await rejectionOf(answering.present('s3.example.org', 'token', 'digest'));
    expect(refusal.message).toBe(
      `tls.challenge.hook: ${file} present _acme-challenge.s3.example.org. ended with exit code 3: zone is locked`,
    );
  });

  test('a hook that is not there is named', async () => {
    const answering = await responder({ type: 'dns-01', hook: '/nonexistent/hook' });
    const refusal = await rejectionOf(answering.present('s3.example.org', 'token', 'digest'));
    expect(refusal.message).toBe(
      'tls.challenge.hook: /nonexistent/hook present _acme-challenge.s3.example.org. ended with ENOENT',
    );
  });
});

test.each([
  ['3600', 'after 2026-11-22T13:00:00.000Z'],
  ['Sun, 22 Nov 2026 15:30:00 GMT', 'after 2026-11-22T15:30:00.000Z'],
  [undefined, 'later (it did not say when)'],
  ['soon', 'later (it did not say when)'],
])('Retry-After %s means %s', (header, text) => {
  expect(retryTime(header, new Date('2026-11-22T12:00:00Z'))).toBe(text);
});
