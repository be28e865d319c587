# The dependencies alone: no dev packages, no install scripts. The base image is the Node that package.json pins, so
# the npm packages that carry its binary stay out.
FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production \
    EASGATE_CONFIG=/app/config/examples/container.yaml \
    EASGATE_SECRETS=/run/secrets \
    EASGATE_PUBLIC_URL=http://127.0.0.1:8080
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY config config
COPY src src
RUN install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9090/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts", "serve"]
