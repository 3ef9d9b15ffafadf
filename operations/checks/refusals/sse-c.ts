/** Objects under a client's own key must not open without it, and the key must not travel in the clear. */
import { everyCase } from '../objects/cases';
import { CheckFailure, type OutsideCheck } from '../check';
import { customerKey, type CustomerKey, sseC } from '../objects/modes';
import { refusalOf, requestCopy, requestGet, requestHead } from '../objects/objects';
import { presignedPut } from '../objects/presigned';
import { readBack, write } from '../round-trips/samples';
import { plainHttpAnswer, SPEAKS_HTTP } from './plain-http';

const FIX =
  'the server gives out what a client’s own key should protect: stop using SSE-C with it, or through this proxy';

const sseCKeyRequired: OutsideCheck = {
  from: 'outside',
  id: 'sse-c-key-required',
  title: 'SSE-C: nothing is given out without the client’s key, nor with another one',
  proves:
    'GET, a range read, HEAD and a copy of objects under a client’s key are refused without a key and with another one. ' +
    'The right key reads them. One object is small, one is multipart.',
  doesNotProve: 'That MinIO forgets the key: it has it in memory while it serves the request.',
  severity: 'critical',
  run: async (context) => {
    const mode = sseC();
    const attempts = (key: string, name: string, access: Partial<CustomerKey>) => ({
      [`GET ${name}`]: () => requestGet(context, key, access),
      [`range read ${name}`]: () => requestGet(context, key, { ...access, Range: 'bytes=0-99' }),
      [`HEAD ${name}`]: () => requestHead(context, key, access),
      [`copy ${name}`]: () =>
        requestCopy(context, { key, access }, `${key} copy ${name}`, { ServerSideEncryption: 'AES256' }),
    });
    return everyCase(
      (['small', 'multipart'] as const).map((sample) => ({
        name: sample,
        run: async () => {
          const key = `sse-c-key-required/${sample}`;
          const written = await write(context, key, mode, sample);
          const refused: Record<string, string> = {};
          const forbidden = {
            ...attempts(key, 'without the key', {}),
            ...attempts(key, 'with another key', customerKey()),
          };
          for (const [name, request] of Object.entries(forbidden)) {
            refused[name] = await refusalOf(`a ${name}`, request(), [400, 403], FIX);
          }
          return { refused, withTheKey: await readBack(context, written) };
        },
      })),
    );
  },
};

const sseCPlainHttpRefused: OutsideCheck = {
  from: 'outside',
  id: 'sse-c-plain-http-refused',
  title: 'SSE-C: a client’s key is not taken over plain HTTP',
  proves: 'A valid PUT with a client’s key, sent in the clear to the S3 port, is refused, and no object is made.',
  doesNotProve:
    'That no client sends its key in the clear first: this one was made for the request and used for nothing.',
  severity: 'critical',
  run: async (context) => {
    const mode = sseC();
    const key = 'sse-c-plain-http';
    // good for a minute, for this one object
    const { path, headers } = await presignedPut(context, key, mode);
    const answer = await plainHttpAnswer(context.s3Endpoint, { method: 'PUT', path, headers, body: 'in the clear' });
    if (answer.status >= 200 && answer.status < 300) {
      throw new CheckFailure(`a PUT with a client’s key over plain HTTP answered ${answer.said}`, SPEAKS_HTTP);
    }
    const redirected = answer.status >= 300 && answer.status < 400;
    // what MinIO says without TLS (cmd/generic-handlers.go, ErrInsecureSSECustomerRequest)
    const insecure = answer.status === 400 && answer.text.includes('secure connection');
    if (!answer.refused && !redirected && !insecure) {
      throw new Error(
        `a PUT with a client’s key over plain HTTP answered ${answer.said}, which says nothing about HTTP`,
      );
    }
    return { answer: answer.said };
  },
};

/** In the order in which they are reported. */
export const sseCRefusals: readonly OutsideCheck[] = [sseCKeyRequired, sseCPlainHttpRefused];
