import { type Manifest, nodePorts } from "./manifest.ts";

/** Prometheus configuration with every node as a target; `prometheus --config.file` takes it as it is. */
export function prometheusFile(manifest: Manifest): string {
  const targets = manifest.nodes
    .map(
      ({ name, index, validator }) =>
        `      - targets: ["127.0.0.1:${nodePorts(manifest, index).metrics}"]\n        labels: { node: ${name}, role: ${validator ? "validator" : "full"} }`,
    )
    .join("\n");
  return `# Written by validator testnet: prometheus --config.file=prometheus.yml
global:
  scrape_interval: 5s
  evaluation_interval: 5s
scrape_configs:
  - job_name: quorate
    static_configs:
${targets}
`;
}

/**
 * The same homes under docker compose. The nodes share the host's network, because their configuration names loopback
 * ports; build the image with testnet/Dockerfile first.
 */
export function composeFile(manifest: Manifest): string {
  const services = manifest.nodes
    .map(
      ({ name }) => `  ${name}:
    image: quorate:local
    network_mode: host
    command: ["start", "--home", "/network/${name}"]
    volumes: ["./:/network"]
    stop_grace_period: 15s
    restart: on-failure`,
    )
    .join("\n");
  return `# Written by validator testnet init. Build the image in the clone: docker build -f testnet/Dockerfile -t quorate:local .
name: ${manifest.chainId}
services:
${services}
`;
}
