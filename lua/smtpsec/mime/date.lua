--- date: RFC 5322 section 3.3, in the zone of the machine, with English names whatever the locale says.

local date = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- The last second that has a date with a four-digit year in every zone.
date.LAST = 253402200000

-- How far local time is ahead of UTC at that moment, in minutes. The two broken-down times are compared directly:
-- going back through os.time would lose the hour in which clocks are set back.
local function offset(here, utc)
  local days = here.year ~= utc.year and here.year - utc.year or here.yday - utc.yday
  return (days * 24 + here.hour - utc.hour) * 60 + here.min - utc.min
end

local function written(moment)
  local here, utc = os.date("*t", moment), os.date("!*t", moment)
  local minutes = offset(here, utc)
  local ahead = math.abs(minutes)
  return string.format("%s, %d %s %04d %02d:%02d:%02d %s%02d%02d",
    DAYS[here.wday], here.day, MONTHS[here.month], here.year, here.hour, here.min, here.sec,
    minutes < 0 and "-" or "+", math.floor(ahead / 60), ahead % 60)
end

-- The second that was asked for last: many messages are made in one.
local last, last_written

--- The date and time of a moment.
---@param seconds number since 1970, 0 to date.LAST; a fraction is dropped
---@return string "Sat, 22 Nov 2025 02:00:00 +0900"
function date.format(seconds)
  if seconds ~= last then last, last_written = seconds, written(math.floor(seconds)) end
  return last_written
end

return date
