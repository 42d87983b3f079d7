// Makes calls with the unmodified SDKs: reads one call as a line of JSON, writes one line with what came of it.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const sts = require('@alicloud/sts20150401')
const { $OpenApiUtil } = require('@alicloud/openapi-core')
const credentials = require('@alicloud/credentials')
const { RPCClient } = require('@alicloud/pop-core')

// Credentials objects live here, so that a later call can use one, as a program does.
const kept = new Map()

const REQUESTS = {
  assumeRole: sts.AssumeRoleRequest,
  assumeRoleWithOIDC: sts.AssumeRoleWithOIDCRequest,
  assumeRoleWithSAML: sts.AssumeRoleWithSAMLRequest
}

const CALLS = {
  async sts ({ config, credential, action, parameters }) {
    const given = credential ? { ...config, credential: kept.get(credential) } : config
    const client = new sts.default(new $OpenApiUtil.Config(given))
    const Request = REQUESTS[action]
    const response = await (Request ? client[action](new Request(parameters)) : client[action]())
    return response.body.toMap()
  },

  async credentials ({ name, config, profile }) {
    const client = profile
      ? new credentials.default(null, credentials.CLIProfileCredentialsProvider.builder().withProfileName(profile).build())
      : new credentials.default(new credentials.Config(config))
    kept.set(name, client)
    const { accessKeyId, accessKeySecret, securityToken } = await client.getCredential()
    return { accessKeyId, accessKeySecret, securityToken }
  },

  async pop ({ config, anonymous, action, parameters, options }) {
    const unsigned = { credentialsProvider: { getCredentials: async () => null } }
    const client = new RPCClient({ apiVersion: '2015-04-01', ...config, ...(anonymous ? unsigned : {}) })
    return await client.request(action, parameters, options)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line)
  let outcome
  try {
    outcome = { result: await CALLS[call.sdk](call) }
  } catch (error) {
    const { name, code, message, statusCode, retryAfter, requestId } = error
    outcome = { error: { name, code, message, statusCode, retryAfter, requestId } }
  }
  process.stdout.write(JSON.stringify(outcome) + '\n')
}
