/** The certificates of the private CA: one, or two while another takes its place. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

/** The certificates of a file, each as PEM. */
export function pemCertificates(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** The certificate among them that belongs to the key that issues; undefined if none does. */
export function issuingCertificate(text: string, privateKey: string): string | undefined {
  const key = createPrivateKey(privateKey);
  return pemCertificates(text).find((pem) => new X509Certificate(pem).checkPrivateKey(key));
}
