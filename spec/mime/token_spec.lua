local process = require "spec.support.process"
local token = require "smtpsec.mime.token"

describe("a token", function()
  it("is 128 bits in hexadecimal, and never the same twice", function()
    local seen = {}
    for _ = 1, 5000 do
      local one = token.new()
      assert.is_truthy(#one == 32 and one:find("^[0-9a-f]+$"))
      assert.is_nil(seen[one])
      seen[one] = true
    end
  end)
end)

describe("a token between words", function()
  it("is the same, between them", function()
    assert.is_truthy(token.new("=_"):find("^=_" .. ("%x"):rep(32) .. "$"))
    assert.is_truthy(token.new("<", "@" .. ("x"):rep(300) .. ">"):find("^<" .. ("%x"):rep(32) .. "@x+>$"))
    for _, words in ipairs { { ("x"):rep(512), "" }, { "", ("x"):rep(512) } } do
      assert.equal(544, #token.new(words[1], words[2]))
      assert.error_matches(function() token.new(words[1] .. words[1], words[2] .. words[2]) end, "too long")
    end
  end)
end)

describe("the pool of random bytes", function()
  -- What a program prints that includes random.h.
  local function output(code)
    local base = os.tmpname()
    finally(function() process.run("rm -f " .. base .. "*") end)
    process.write(base .. ".c", [[
      #include "base/random.h"
      #include <stdio.h>
      #include <sys/wait.h>
      #include <unistd.h>
      static ss_random_pool *pool;
      static unsigned char drawn[16];
      static void draw(const char *who)
      {
        if (!pool) pool = ss_random_pool_new();
        if (!pool || !ss_random_draw(pool, drawn, sizeof drawn)) puts("failed");
        printf("%s ", who);
        for (size_t i = 0; i < sizeof drawn; i++) printf("%02x", drawn[i]);
        puts("");
        fflush(stdout);
      }
    ]] .. code)
    return process.run("unset LD_PRELOAD; cc -std=c11 -D_GNU_SOURCE -Icsrc -o " .. base .. ".out " .. base
      .. ".c csrc/base/random.c csrc/base/wipe.c -lcrypto && " .. base .. ".out")
  end

  it("gives a forked process other bytes than its parent", function()
    local printed = output [[
      int main(void)
      {
        draw("both");
        if (fork() == 0) {
          draw("child");
          return 0;
        }
        wait(NULL);
        draw("parent");
        return 0;
      }
    ]]
    local child, parent = printed:match("child (%x+)"), printed:match("parent (%x+)")
    assert.is_truthy(child and parent)
    assert.not_equal(child, parent)
  end)

  it("gives no more at once than it can hold, and goes on for ever", function()
    local printed = output [[
      int main(void)
      {
        unsigned char big[SS_RANDOM_DRAW + 1];
        draw("first");
        printf("%d", ss_random_draw(pool, big, sizeof big));
        for (int i = 0; i < 1000; i++)
          if (!ss_random_draw(pool, big, sizeof big - 1)) puts("failed");
        draw("last");
        ss_random_pool_free(pool);
        ss_random_pool_free(NULL);
        return 0;
      }
    ]]
    assert.is_truthy(printed:find("^first %x+\n0last %x+\n$"), printed)
  end)
end)
