-- wrk's side of loadtest/compare: `wrk ... -s compare.lua URL -- OPERATION FILE THREADS NONCE`.
-- FILE has a line for each request: a token, a phone, a phone and its code, a refresh token, an e-mail address, or a phone
-- and a token.
local all = {}

function setup(thread)
  thread:set("id", #all)
  all[#all + 1] = thread
end

local function post(path, body, token)
  local headers = { ["content-type"] = "application/json" }
  if token then headers.authorization = "Bearer " .. token end
  return wrk.format("POST", "/api/users/" .. path .. "/", headers, body)
end

local make = {
  me = function(token)
    return wrk.format("GET", "/api/users/me/", { authorization = "Bearer " .. token })
  end,
  send = function(phone)
    return post("send-phone-otp", '{"phone":"' .. phone .. '"}')
  end,
  right = function(line)
    local phone, code = line:match("(%S+) (%d+)")
    return post("verify-phone-otp", '{"phone":"' .. phone .. '","otp":"' .. code .. '"}')
  end,
  wrong = function(line)
    local phone, code = line:match("(%S+) (%d+)")
    local other = ("%06d"):format((tonumber(code) + 1) % 1000000)
    return post("verify-phone-otp", '{"phone":"' .. phone .. '","otp":"' .. other .. '"}')
  end,
  refresh = function(token)
    return post("token/refresh", '{"refresh":"' .. token .. '"}')
  end,
  send_own = function(line)
    local phone, token = line:match("(%S+) (%S+)")
    return post("send-phone-otp", '{"phone":"' .. phone .. '"}', token)
  end,
  verify_own = function(line)
    local phone, token = line:match("(%S+) (%S+)")
    return post("verify-phone-otp", '{"phone":"' .. phone .. '","otp":"000000"}', token)
  end,
  email = function(email)
    return post("send-email-otp", '{"email":"' .. email .. '"}')
  end,
  login_code = function(email)
    return post("login/code", '{"email":"' .. email .. '"}')
  end,
  sessions = function(token)
    return wrk.format("GET", "/api/users/sessions/", { authorization = "Bearer " .. token })
  end,
  login = function(email)
    return post("login", '{"email":"' .. email .. '","password":"securepass123"}')
  end,
}

make.sms = make.send

local next_request, wanted

function init(args)
  local operation, file, of, nonce = args[1], args[2], tonumber(args[3]), args[4]
  wanted = ({ wrong = 400, verify_own = 400, register = 201 })[operation] or 200
  unexpected = 0
  local count = 0
  if operation == "register" then
    next_request = function()
      count = count + 1
      local name = ("%s-%d-%d"):format(nonce, id, count)
      return post("register", '{"email":"' .. name .. '@example.com","phone":"+14152000001","first_name":"Load",'
        .. '"last_name":"Test","password":"securepass123","password_confirm":"securepass123"}')
    end
    return
  end
  local requests, number = {}, 0
  for line in io.lines(file) do
    if number % of == id then requests[#requests + 1] = make[operation](line) end
    number = number + 1
  end
  next_request = function()
    count = count % #requests + 1
    return requests[count]
  end
end

function request()
  return next_request()
end

function response(status)
  if status ~= wanted then unexpected = unexpected + 1 end
end

function done(summary, latency)
  local unexpected = 0
  for _, thread in ipairs(all) do unexpected = unexpected + thread:get("unexpected") end
  local errors = summary.errors
  print(('RESULT {"requests":%d,"seconds":%.4f,"unexpected":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}'):format(
    summary.requests, summary.duration / 1e6, unexpected,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
