-- Asks for the paths in a file, one a line, again and again. In each "{n}"
-- stands for a number that is never the same. Posts the second argument, which
-- is JSON, unless it is empty. Ends with a line of figures.

local threads = 0

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

function init(args)
   if args[2] and args[2] ~= "" then
      wrk.method, wrk.body = "POST", args[2]
      wrk.headers["Content-Type"] = "application/json"
   end
   heads, tails, n, next_one = {}, {}, 0, 0
   for path in io.lines(args[1]) do
      n = n + 1
      local head, tail = wrk.format(nil, path):match("^(.-){n}(.*)$")
      heads[n], tails[n] = head or wrk.format(nil, path), tail
   end
   offset = math.floor(n / 2) * id
   count = 0
end

function request()
   count = count + 1
   local i = (count + offset) % n + 1
   if tails[i] then
      return heads[i] .. id .. "-" .. count .. tails[i]
   end
   return heads[i]
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format("figures: %d %d %d %d %d %d\n", summary.requests, summary.bytes, summary.duration,
      e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(99)))
end
