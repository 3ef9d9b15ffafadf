/** Objects that are written and read by URL, without an S3 client. */
import { randomBytes } from 'node:crypto';
import { type Case, everyCase } from '../objects/cases';
import { CheckFailure, type OutsideCheck, type OutsideContext } from '../check';
import { autoEncrypted, everyMode, type Mode, SSE_S3 } from '../objects/modes';
import { requireSameBytes } from '../objects/objects';
import { presignedGet, presignedPut } from '../objects/presigned';
import { KIB, readBack, write } from './samples';

export const presignedUrls: OutsideCheck = {
  from: 'outside',
  id: 'presigned-urls',
  title: 'Presigned URLs read and write encrypted objects',
  proves:
    'A presigned GET returns the bytes of an object under SSE-S3 and SSE-KMS; what a presigned PUT writes, with a ' +
    'header that asks for SSE-S3 and without any where requests without one are encrypted, is encrypted.',
  doesNotProve: 'SSE-C by URL: its key would have to go with it.',
  severity: 'medium',
  run: async (context) => {
    const { expected } = context;
    const readable = everyMode(expected).filter(({ claim }) => claim.mode !== 'SSE-C');
    const writable = [SSE_S3, ...(expected.autoEncryption === true ? [autoEncrypted(expected)] : [])];
    return everyCase([
      ...readable.map((mode) => reading(context, mode)),
      ...writable.map((mode) => writing(context, mode)),
    ]);
  },
};

function reading(context: OutsideContext, mode: Mode): Case {
  return {
    name: `GET, ${mode.name}`,
    run: async () => {
      const key = `presigned-urls/get ${mode.name}`;
      const { body } = await write(context, key, mode);
      const path = await presignedGet(context, key);
      const answer = await context.minio.send({ method: 'GET', path });
      requireSuccess('GET', answer.status, answer.text);
      requireSameBytes('the presigned GET', answer.bytes, body);
      return { status: answer.status, bytes: body.length };
    },
  };
}

function writing(context: OutsideContext, mode: Mode): Case {
  return {
    name: `PUT, ${mode.name}`,
    run: async () => {
      const key = `presigned-urls/put ${mode.name}`;
      const body = randomBytes(10 * KIB);
      const { path, headers } = await presignedPut(context, key, mode);
      const answer = await context.minio.send({ method: 'PUT', path, headers, body });
      requireSuccess('PUT', answer.status, answer.text);
      return readBack(context, { key, mode, body });
    },
  };
}

function requireSuccess(method: string, status: number, text: string): void {
  if (status === 200) return;
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'no S3 error';
  throw new CheckFailure(
    `the presigned ${method} answered ${status} ${code}`,
    'if there is a proxy between client and server it must pass host, path and query on unchanged: they are signed',
  );
}
