import { parseEnvironment } from '../../../config/load';
import { s3RequiredNames } from '../../../config/minio/s3-endpoint';

const FILES = 'mode: files, certificate: /pki/s3.crt, privateKey: /pki/s3.key';
const parse = (...lines: string[]) => parseEnvironment(['name: x', ...lines].join('\n'), 'test.yaml');

test.each([
  ['minio: {hostnames: [s3.example.org, s3.lan]}', ['s3.example.org', 's3.lan']],
  ['docker: {publishAddress: 192.0.2.7}', ['192.0.2.7']],
  ['minio: {domain: s3.lan}', ['s3.lan', '*.s3.lan']],
  ['minio: {domain: s3.lan, hostnames: [nas.lan]}', ['nas.lan', 's3.lan', '*.s3.lan']],
])('the names that certificates must cover: %s', (line, names) => {
  expect(s3RequiredNames(parse(line, `tls: {${FILES}}`))).toEqual(names);
});
